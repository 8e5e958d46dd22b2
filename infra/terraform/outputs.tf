output "address" {
  description = "Host and port of the database server."
  value       = aws_db_instance.this.endpoint
}

output "master_secret_arn" {
  description = "Where the superuser's password is: for making roles and databases, and for nothing that serves."
  value       = aws_db_instance.this.master_user_secret[0].secret_arn
}

output "databases" {
  description = "The database of each service, and its roles, which have to be made in the server."
  value       = { for service, of in var.services : of.database => [for role in of.roles : "${service}_${role}"] }
}

output "repositories" {
  description = "Where the image of each service goes."
  value       = { for service, repository in aws_ecr_repository.service : service => repository.repository_url }
}

output "url_secrets" {
  description = "The place of each role's URL."
  value       = { for name, secret in aws_secretsmanager_secret.url : name => secret.arn }
}

output "kms_key_arn" {
  description = "The key."
  value       = aws_kms_key.this.arn
}
