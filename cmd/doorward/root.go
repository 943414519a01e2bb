package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/doorward/doorward/internal/config"
)

// serveFunc runs Doorward with a checked configuration until ctx ends. The
// warnings are for its log.
type serveFunc func(ctx context.Context, cfg *config.Config, warnings []string) error

// run executes one command line and returns the exit code. Whatever goes wrong
// is on stderr, one line for each mistake.
func run(ctx context.Context, args []string, stdout, stderr io.Writer, serve serveFunc) int {
	root := newRoot(serve)
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	for line := range strings.Lines(err.Error()) {
		fmt.Fprintf(stderr, "doorward: %s\n", strings.TrimSuffix(line, "\n"))
	}
	return 1
}

// newRoot returns the command line. serve is what `doorward` and `doorward
// serve` do once the configuration is good.
func newRoot(serve serveFunc) *cobra.Command {
	start := func(cmd *cobra.Command, _ []string) error {
		cfg, warnings, err := config.Load()
		if err != nil {
			printWarnings(cmd.ErrOrStderr(), warnings)
			return err
		}
		return serve(cmd.Context(), cfg, warnings)
	}
	root := &cobra.Command{
		Use:   "doorward",
		Short: "Answers one question for a gateway: may this request pass, and as whom?",
		Long: "Doorward answers one question for a gateway: may this request pass, and as whom?\n" +
			"It is configured by DOORWARD_* environment variables; without a command it serves.",
		Args:               noArgs,
		RunE:               start,
		SilenceErrors:      true,
		SilenceUsage:       true,
		DisableSuggestions: true,
		CompletionOptions:  cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	root.AddCommand(
		&cobra.Command{Use: "serve", Short: "Serve until SIGTERM or SIGINT", Args: noArgs, RunE: start},
		newCheck(),
		newExplain(),
		newDoctor(),
		newSnippet(),
		newSecret(),
		newKey(),
		newSessions(),
		newVersion(),
	)
	return root
}

func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if cmd.HasSubCommands() {
		return fmt.Errorf("there is no command %q; see `doorward help`", args[0])
	}
	return fmt.Errorf("`%s` takes no arguments", cmd.CommandPath())
}

func printWarnings(w io.Writer, warnings []string) {
	for _, warning := range warnings {
		fmt.Fprintf(w, "doorward: warning: %s\n", warning)
	}
}
