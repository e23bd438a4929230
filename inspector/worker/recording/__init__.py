"""Recording a live stream: what ffmpeg delivers is laid on the stream's time, cut into pieces, and uploaded.

capture → groups of pictures → tape (stream time, gaps) → pieces (files) → uploads (bucket, database)
"""
