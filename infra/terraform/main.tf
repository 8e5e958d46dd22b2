# One key for the database, its backups, the images and the secrets. Whoever may use it is said in IAM, and nowhere here.
resource "aws_kms_key" "this" {
  description             = var.name
  enable_key_rotation     = true
  deletion_window_in_days = 30
  tags                    = { Name = var.name }

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_kms_alias" "this" {
  name          = "alias/${var.name}"
  target_key_id = aws_kms_key.this.key_id
}

resource "aws_db_subnet_group" "this" {
  name       = var.name
  subnet_ids = var.subnet_ids
}

resource "aws_security_group" "database" {
  name        = "${var.name}-database"
  description = "PostgreSQL, for the services and the migrations"
  vpc_id      = var.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "database" {
  for_each                     = toset(var.client_security_group_ids)
  security_group_id            = aws_security_group.database.id
  referenced_security_group_id = each.value
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
}

resource "aws_db_parameter_group" "this" {
  name   = var.name
  family = "postgres17"

  parameter {
    name  = "rds.force_ssl"
    value = "1"
  }

  parameter {
    name  = "ssl_min_protocol_version"
    value = "TLSv1.3"
  }

  lifecycle {
    create_before_destroy = true
  }
}

# Backups are taken daily and the log is kept: every moment of the last days but the last five minutes can be restored (docs/runbooks/restore.md).
resource "aws_db_instance" "this" {
  identifier                      = var.name
  engine                          = "postgres"
  engine_version                  = "17"
  instance_class                  = var.instance_class
  allocated_storage               = var.storage_gib
  max_allocated_storage           = var.storage_gib * 10
  storage_encrypted               = true
  kms_key_id                      = aws_kms_key.this.arn
  multi_az                        = true
  publicly_accessible             = false
  db_subnet_group_name            = aws_db_subnet_group.this.name
  vpc_security_group_ids          = [aws_security_group.database.id]
  parameter_group_name            = aws_db_parameter_group.this.name
  backup_retention_period         = var.backup_days
  copy_tags_to_snapshot           = true
  delete_automated_backups        = false
  deletion_protection             = true
  skip_final_snapshot             = false
  final_snapshot_identifier       = "${var.name}-final"
  auto_minor_version_upgrade      = true
  enabled_cloudwatch_logs_exports = ["postgresql"]
  username                        = "postgres"
  # Made and kept by the database service: it stands in no state and no file.
  manage_master_user_password   = true
  master_user_secret_kms_key_id = aws_kms_key.this.key_id

  lifecycle {
    prevent_destroy = true
  }
}

# An image is pulled by its digest, and no tag is written twice.
resource "aws_ecr_repository" "service" {
  for_each             = var.services
  name                 = "${var.name}/${each.key}"
  image_tag_mutability = "IMMUTABLE"

  encryption_configuration {
    encryption_type = "KMS"
    kms_key         = aws_kms_key.this.arn
  }

  image_scanning_configuration {
    scan_on_push = true
  }
}

locals {
  urls = merge([
    for service, of in var.services : { for role in of.roles : "${service}/${role}.url" => { service = service, role = role } }
  ]...)
}

# A place for the URL of each role of each database. What is in it is put there by whoever makes the role; here is no secret.
resource "aws_secretsmanager_secret" "url" {
  for_each                = local.urls
  name                    = "${var.name}/${each.key}"
  description             = "URL of the database role ${each.value.service}_${each.value.role}"
  kms_key_id              = aws_kms_key.this.arn
  recovery_window_in_days = 30
}
