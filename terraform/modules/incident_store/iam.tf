data "aws_iam_policy_document" "access" {
  statement {
    sid = "Journal"
    actions = [
      "dynamodb:BatchGetItem",
      "dynamodb:DeleteItem",
      "dynamodb:PutItem",
      "dynamodb:Query",
      "dynamodb:UpdateItem",
    ]
    resources = concat(
      [aws_dynamodb_table.this.arn],
      [for index in sort(local.indexes) : "${aws_dynamodb_table.this.arn}/index/${index}"],
    )
  }
}
