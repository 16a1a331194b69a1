"""The engine: receives, records, watches and hands on the cameras of one hub, in a process of its own.

It knows nothing of Home Assistant and imports nothing from outside this package but the standard library, aiohttp and
orjson. `launch.py` starts it; `api.py` says what travels over its socket.
"""
