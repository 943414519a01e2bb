package main

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/doorward/doorward/internal/config"
)

// TestMain makes the commands of the scripts from this test binary. Their serve
// only says that it was reached and with which warnings.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"doorward": func() {
			os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr, announceOnly))
		},
	})
}

func announceOnly(_ context.Context, cfg *config.Config, warnings []string) error {
	fmt.Printf("serving on %s, %d warnings\n", cfg.Listen, len(warnings))
	if cfg.CookieName == "broken" {
		return fmt.Errorf("serve: listen %s: address in use", cfg.Listen)
	}
	return nil
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/script", RequireExplicitExec: true, RequireUniqueNames: true})
}
