# A queue whose messages are given up after five attempts, for the runbook orders-dlq. The sandbox has no consumer:
# docs/sandbox.md shows how to fill the dead-letter queue.

resource "aws_sqs_queue" "work" {
  name                       = var.queue
  sqs_managed_sse_enabled    = true
  message_retention_seconds  = 345600
  visibility_timeout_seconds = 30

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letters.arn
    maxReceiveCount     = 5
  })
}

resource "aws_sqs_queue" "dead_letters" {
  name                      = "${var.queue}-dlq"
  sqs_managed_sse_enabled   = true
  message_retention_seconds = 1209600 # the longest there is: a redrive needs time to be thought over
}

resource "aws_sqs_queue_redrive_allow_policy" "dead_letters" {
  queue_url = aws_sqs_queue.dead_letters.id

  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [aws_sqs_queue.work.arn]
  })
}
