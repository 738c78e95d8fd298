"""A device to break: a record sent as a device would send it, with the faults that devices have, over LSL or ZeroMQ."""
