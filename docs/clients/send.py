"""Sends two made-up leads to ecgstream: send.py tcp://HOST:PORT BED [SECONDS]   (needs: pip install pyzmq msgspec)."""

import math
import random
import struct
import sys
import time

import msgspec
import zmq

endpoint, bed, seconds = sys.argv[1], sys.argv[2], float((*sys.argv[3:], 1e9)[0])
rate, count, began = 250, 10, time.time()  # samples per second, and in a message
socket = zmq.Context().socket(zmq.PUSH)
socket.linger = 5000  # ms that the end waits until all has gone out
socket.connect(endpoint)
header = {"type": "samples", "version": 1, "bed": bed, "session": random.getrandbits(63),
          "count": count, "rate": rate, "leads": ["I", "II"], "unit": "mV"}  # fmt: skip
for index in range(0, int(seconds * rate), count):
    time.sleep(max(0, began + (index + count) / rate - time.time()))  # until the last sample is there
    lead = [math.sin(2 * math.pi * number / rate) for number in range(index, index + count)]
    header |= {"sequence": index // count, "index": index, "time": began + index / rate}
    payload = struct.pack(f"<{2 * count}f", *lead, *(2 * value for value in lead))  # lead after lead
    socket.send_multipart([bed.encode(), msgspec.msgpack.encode(header), payload])
