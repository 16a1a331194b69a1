"""Codecs: from RTP payloads to samples, and what parameter sets say."""
