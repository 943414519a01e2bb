package main

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"

	"github.com/spf13/cobra"
)

// newSecret returns the command that prints a value for DOORWARD_COOKIE_SECRET.
func newSecret() *cobra.Command {
	return &cobra.Command{
		Use:   "secret",
		Short: "Print a new cookie secret, 32 random bytes in base64",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			key := make([]byte, 32)
			rand.Read(key) // never fails: it ends the program instead
			_, err := fmt.Fprintln(cmd.OutOrStdout(), base64.StdEncoding.EncodeToString(key))
			return err
		},
	}
}
