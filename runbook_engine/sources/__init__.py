"""One file a sender: its format in, the one `Alert` out. The route chooses the source, never the body's looks."""
