data "aws_iam_policy_document" "put" {
  statement {
    sid       = "Bus"
    actions   = ["events:PutEvents"]
    resources = [aws_cloudwatch_event_bus.this.arn]

    condition {
      test     = "StringEquals"
      variable = "events:source"
      values   = [local.source]
    }
  }
}
