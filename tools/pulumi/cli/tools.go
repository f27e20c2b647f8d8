//go:build tools

// Package tools pins the command that slipway.pulumi_cli builds.
package tools

import _ "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
