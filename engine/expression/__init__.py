"""Text in, value out: the ``${…}`` language, JSON paths, scripts and jq programs."""
