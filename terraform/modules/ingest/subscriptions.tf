# Alerts that arrive on somebody's topic or queue.

resource "aws_sns_topic_subscription" "alerts" {
  for_each = var.sns_topics

  topic_arn      = each.value
  protocol       = "lambda"
  endpoint       = module.alert_ingest.arn
  redrive_policy = jsonencode({ deadLetterTargetArn = module.dead_letters.arn })
}

resource "aws_lambda_permission" "topic" {
  for_each = var.sns_topics

  statement_id  = "topic-${each.key}"
  action        = "lambda:InvokeFunction"
  function_name = module.alert_ingest.name
  principal     = "sns.amazonaws.com"
  source_arn    = each.value
}

resource "aws_lambda_event_source_mapping" "queue" {
  for_each = var.sqs_queues

  function_name           = module.alert_ingest.arn
  event_source_arn        = each.value
  batch_size              = 10
  function_response_types = ["ReportBatchItemFailures"] # one bad message does not repeat nine good ones

  scaling_config {
    maximum_concurrency = 5
  }
}
