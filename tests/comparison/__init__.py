"""Baton beside Conductor itself: the same random workflows on both, and whether they come to the same.

    python -m tests.comparison http://localhost:8080 http://localhost:8090 --runs 40 --seed 1

Conductor's server is a file of Maven Central, ``org.conductoross:conductor-server`` with the classifier ``boot``; it
needs Java 21 and nothing else (``java -jar conductor-server-3.32.1-boot.jar --server.port=8080``). Baton's may be
``baton dev``.
"""
