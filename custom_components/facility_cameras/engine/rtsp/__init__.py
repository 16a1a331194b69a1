"""RTSP/1.0 over TCP, as cameras speak it: dialogue, authentication, session description, interleaved frames."""
