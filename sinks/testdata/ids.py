"""Computes the ids of the events in ids_test.go from their definition, with hashlib."""
import hashlib
import json


def event_id(*fields):
    data = b""
    for field in fields:
        raw = str(field).encode()
        data += b"%d:%s," % (len(raw), raw)
    return hashlib.sha256(data).hexdigest()[:32]


frames = [12480, 13480, 14480, 15480, 16480, 17480]
epoch = 1795428000123
print(json.dumps({
    "caption": event_id("front-door", epoch, "caption", "", "", 12000, 18000, len(frames), *frames, "1a2b3c4d5e6f", "greedy"),
    "answer": event_id("front-door", epoch, "answer", "person", "is there a <person> & a dög?", 12000, 18000, len(frames), *frames, "1a2b3c4d5e6f", "greedy"),
    "cut": event_id("front-door", epoch, "cut", 812),
    "gap": event_id("front-door", epoch, "gap", 812),
    "reset": event_id("front-door", epoch, "reset", 812),
    "degraded": event_id("front-door", epoch, "degraded", 812),
    "unchanged": event_id("front-door", epoch, "unchanged", 812),
    "status": event_id("front-door", epoch, "status", 812),
    "job": event_id("job-42", 0, "job", "running", 2, 5000),
}, indent=2))
