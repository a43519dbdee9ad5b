"""Writes events.json: scalars and the event file that TensorBoard's own
protobuf classes and record writer make of them, read back by TensorBoard.

    pip install tensorboard
    python tests/reference/training/make_events.py
"""

import json
import os
import pathlib
import tempfile

from tensorboard.backend.event_processing import event_accumulator
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.summary.writer.record_writer import RecordWriter

VERSION_TIME = 1700000000.25
EVENTS = [
    {"wall_time": 1700000001.5, "step": 1,
     "scalars": {"kl": 0.0, "reward": 0.53125, "rewards/a/mean": -1.5}},
    {"wall_time": 1700000002.75, "step": 300,
     "scalars": {"kl": 12.345678901234567, "reward": 1e-30}},
]


def event_bytes(event):
    values = [summary_pb2.Summary.Value(tag=tag, simple_value=value)
              for tag, value in sorted(event["scalars"].items())]
    return event_pb2.Event(
        wall_time=event["wall_time"], step=event["step"],
        summary=summary_pb2.Summary(value=values)).SerializeToString()


def main():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "events.out.tfevents.moft")
        with open(path, "wb") as out:
            writer = RecordWriter(out)
            writer.write(event_pb2.Event(
                wall_time=VERSION_TIME,
                file_version="brain.Event:2").SerializeToString())
            for event in EVENTS:
                writer.write(event_bytes(event))
            writer.flush()
        data = pathlib.Path(path).read_bytes()
        reader = event_accumulator.EventAccumulator(folder)
        reader.Reload()
        read = {tag: [(e.step, e.value) for e in reader.Scalars(tag)]
                for tag in reader.Tags()["scalars"]}
        assert [s for s, _ in read["reward"]] == [1, 300], read
        assert read["rewards/a/mean"] == [(1, -1.5)], read
    fixture = {"version_time": VERSION_TIME, "events": EVENTS,
               "bytes": data.hex()}
    target = pathlib.Path(__file__).with_name("events.json")
    target.write_text(json.dumps(fixture, indent=1) + "\n")


if __name__ == "__main__":
    main()
