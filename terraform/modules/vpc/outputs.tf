output "vpc_id" {
  description = "The network."
  value       = aws_vpc.this.id
}

output "cidr" {
  description = "Its addresses."
  value       = aws_vpc.this.cidr_block
}

output "private_subnet_ids" {
  description = "Subnets of nodes, and of functions that talk to Kubernetes; one a zone."
  value       = [for zone in var.zones : aws_subnet.private[zone].id]
}

output "public_subnet_ids" {
  description = "Subnets of load balancers; one a zone."
  value       = [for zone in var.zones : aws_subnet.public[zone].id]
}

output "nat_addresses" {
  description = "Addresses from which the private subnets reach the internet."
  value       = [for address in aws_eip.nat : address.public_ip]
}

output "gateway_prefix_list_ids" {
  description = "Prefix lists of DynamoDB and S3, which the gateway endpoints serve."
  value       = [for service in sort(keys(aws_vpc_endpoint.gateway)) : aws_vpc_endpoint.gateway[service].prefix_list_id]
}
