"""What every adapter of an AWS service shares: clients, built once and lazily, and what their errors mean."""
