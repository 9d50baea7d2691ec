"""Entry points: what people and processes start. Everything below is handed its settings; only here they are read."""
