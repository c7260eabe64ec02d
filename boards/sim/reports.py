"""What the simulated board tells the host about the running firmware and its own past.

For people and tests, never for the firmware; allocates freely.
"""

import sys


def application():
    """The running firmware's application, or None before it is built."""
    return getattr(sys.modules.get("app"), "application", None)


def points_by_name(application, chosen=None):
    """All points by name, or those that are `chosen`, as people read them: None where nothing
    valid is measured."""
    from bms.point_words import STATES
    from bms.points import set_bit_names
    from bms.table import INVALID

    table = application.points
    values = table.new_snapshot()
    table.snapshot_into(memoryview(values))
    points = {}
    rows = range(len(table)) if chosen is None else [table.index(name) for name in chosen]
    for row in rows:
        start = table.offsets[row]
        shown = [
            None if value == INVALID else value
            for value in values[start : start + table.counts[row]]
        ]
        while len(shown) > 1 and shown[-1] is None:
            shown.pop()
        points[table.names.name(row)] = shown[0] if table.counts[row] == 1 else shown
    for name in ("faults", "warnings"):
        if name in points:
            points[name] = set_bit_names(points[name], application.faults)
    if points.get("state") is not None:
        points["state"] = STATES[points["state"]]
    return points


def reason(application, points):
    """Why the gates are off, in words."""
    if points["faults"] == ["configuration_invalid"]:
        return "; ".join(application.configuration.problems)
    names = application.faults.names
    return "; ".join([application.faults.advice(names.index(name)) for name in points["faults"]])


def note(world, now_ms, count):
    """What happened until now: changes of the gates, and the latest `count` logged events."""
    running = application()
    return {
        "t_s": now_ms / 1000,
        "trace": world.gate_trace,
        "contact_trace": world.contact_trace,
        "events": list(running.recorder.events_log.records(count)) if running else [],
    }
