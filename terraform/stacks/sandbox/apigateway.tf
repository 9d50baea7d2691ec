# GET / answers as the alias `live` does. The alias and not the function: or a rollback would move nothing.

resource "aws_apigatewayv2_api" "sandbox" {
  name          = var.name
  description   = "Sandbox of runbook-engine"
  protocol_type = "HTTP"
}

resource "aws_apigatewayv2_integration" "live" {
  api_id                 = aws_apigatewayv2_api.sandbox.id
  integration_type       = "AWS_PROXY"
  integration_method     = "POST"
  integration_uri        = aws_lambda_alias.live.invoke_arn
  payload_format_version = "2.0"
  timeout_milliseconds   = 6000 # a little more than the function's own limit
}

resource "aws_apigatewayv2_route" "health" {
  # checkov:skip=CKV_AWS_309:a public health address without any state is the point; it is throttled
  api_id             = aws_apigatewayv2_api.sandbox.id
  route_key          = "GET /"
  authorization_type = "NONE"
  target             = "integrations/${aws_apigatewayv2_integration.live.id}"
}

# It holds no secret, so the key of CloudWatch Logs is enough.
#trivy:ignore:AVD-AWS-0017
resource "aws_cloudwatch_log_group" "api" {
  # checkov:skip=CKV_AWS_158:it holds no secret; encrypted with the key of CloudWatch Logs
  # checkov:skip=CKV_AWS_338:a sandbox's logs are of interest for days
  name              = "/aws/apigateway/${var.name}"
  retention_in_days = var.log_retention_days
}

resource "aws_apigatewayv2_stage" "default" {
  api_id      = aws_apigatewayv2_api.sandbox.id
  name        = "$default"
  auto_deploy = true

  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.api.arn
    format = jsonencode({
      at        = "$context.requestTime"
      request   = "$context.requestId"
      route     = "$context.routeKey"
      status    = "$context.status"
      millis    = "$context.responseLatency"
      error     = "$context.integrationErrorMessage"
      source_ip = "$context.identity.sourceIp"
    })
  }

  default_route_settings {
    throttling_rate_limit  = var.throttle.rate
    throttling_burst_limit = var.throttle.burst
  }
}

resource "aws_lambda_permission" "api" {
  statement_id  = "api"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.sandbox.function_name
  qualifier     = aws_lambda_alias.live.name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.sandbox.execution_arn}/*/*"
}
