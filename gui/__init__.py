"""The screen: a sink among others, and the only room that knows Qt."""
