# An HTTP API: a third of the price of a REST API. It has no WAF; the function authenticates every request itself.

resource "aws_apigatewayv2_api" "this" {
  name          = var.name
  description   = "Webhooks and approval pages of ${var.name}"
  protocol_type = "HTTP"
}

locals {
  routes = {
    hooks   = { key = "POST /hooks/{scope}", path = "POST/hooks/*", function = module.alert_ingest }
    put     = { key = "PUT /hooks/{scope}", path = "PUT/hooks/*", function = module.alert_ingest } # Grafana can be set to it
    show    = { key = "GET /approvals/{execution_id}", path = "GET/approvals/*", function = module.approve }
    approve = { key = "POST /approvals/{execution_id}", path = "POST/approvals/*", function = module.approve }
  }
}

resource "aws_apigatewayv2_integration" "this" {
  for_each = local.routes

  api_id                 = aws_apigatewayv2_api.this.id
  integration_type       = "AWS_PROXY"
  integration_uri        = each.value.function.invoke_arn
  payload_format_version = "2.0"
  timeout_milliseconds   = 29000
}

resource "aws_apigatewayv2_route" "this" {
  #checkov:skip=CKV_AWS_309:Senders of alerts have no AWS credentials and sign in ways no authorizer knows; the function authenticates every request, and links are signed
  for_each = local.routes

  api_id             = aws_apigatewayv2_api.this.id
  route_key          = each.value.key
  target             = "integrations/${aws_apigatewayv2_integration.this[each.key].id}"
  authorization_type = "NONE"
}

resource "aws_lambda_permission" "api" {
  for_each = local.routes

  statement_id   = "api-${each.key}"
  action         = "lambda:InvokeFunction"
  function_name  = each.value.function.name
  principal      = "apigateway.amazonaws.com"
  source_arn     = "${aws_apigatewayv2_api.this.execution_arn}/*/${each.value.path}"
  source_account = local.account
}

resource "aws_apigatewayv2_stage" "this" {
  api_id      = aws_apigatewayv2_api.this.id
  name        = "$default"
  auto_deploy = true

  default_route_settings {
    throttling_rate_limit  = var.rate_limit
    throttling_burst_limit = var.burst_limit
  }

  dynamic "route_settings" {
    for_each = { for name, route in local.routes : name => route if !contains(["hooks", "put"], name) }

    content {
      route_key              = route_settings.value.key
      throttling_rate_limit  = 5 # people, not machines
      throttling_burst_limit = 10
    }
  }

  # Neither paths nor headers nor queries: an approval link is signed by its query, and that is a credential.
  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.access.arn
    format = jsonencode({
      requestId        = "$context.requestId"
      time             = "$context.requestTime"
      route            = "$context.routeKey"
      status           = "$context.status"
      sourceIp         = "$context.identity.sourceIp"
      latency          = "$context.responseLatency"
      length           = "$context.responseLength"
      error            = "$context.error.messageString"
      integrationError = "$context.integrationErrorMessage"
    })
  }

  depends_on = [aws_apigatewayv2_route.this] # settings of a route that is not there yet are refused
}

resource "aws_cloudwatch_log_group" "access" {
  #checkov:skip=CKV_AWS_338:An access log answers who called last week; what was done is in the audit log, kept for a year
  name              = "/aws/apigateway/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}
