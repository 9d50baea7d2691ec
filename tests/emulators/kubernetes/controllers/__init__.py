"""The controllers, each a function that looks at the cluster once and does what it can now."""
