"""Where samples come from: records, and what replays them."""
