variable "services" {
  description = "Each service with the roles of its database. Written by `cargo xtask check --fix` from infra/system.toml into services.auto.tfvars.json."
  type        = map(object({ database = string, roles = list(string) }))
}

variable "name" {
  description = "What everything is called, and what it is tagged with."
  type        = string
  default     = "redoubt"
}

variable "vpc_id" {
  description = "The network of the cluster."
  type        = string
}

variable "subnet_ids" {
  description = "Subnets for the database, without a way to the internet, in at least two zones."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "A standby needs a second zone."
  }
}

variable "client_security_group_ids" {
  description = "Who may connect: the security groups of the services' pods and of the migrations. Nobody else."
  type        = list(string)
}

variable "instance_class" {
  description = "The size of the database server."
  type        = string
  default     = "db.m7g.large"
}

variable "storage_gib" {
  description = "Its storage at the beginning. It grows to ten times as much."
  type        = number
  default     = 100
}

variable "backup_days" {
  description = "For how long every moment can be restored. A partner has to know our orders by their name for as long."
  type        = number
  default     = 14

  validation {
    condition     = var.backup_days >= 7 && var.backup_days <= 35
    error_message = "From 7 to 35 days: without backups there is no point in time to go back to."
  }
}
