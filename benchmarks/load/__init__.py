"""How much the web, ingest and the streams carry on this machine."""
