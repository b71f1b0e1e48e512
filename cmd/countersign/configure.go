package main

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/joho/godotenv"
	"github.com/spf13/cobra"

	"countersign/config"
)

// This file is the only place that reads files, variables and flags for a configuration.

func configFlags(cmd *cobra.Command) {
	cmd.Flags().String("config", "", "configuration file (YAML)")
	cmd.Flags().String("env-file", ".env", "file of variables, read first if present")
}

// configure loads the configuration that a command's flags name.
func (p *process) configure(cmd *cobra.Command) (*config.Config, error) {
	src := config.Source{Environ: p.environ, Flags: map[string]string{}}
	if name, _ := cmd.Flags().GetString("config"); name != "" {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("the configuration cannot be read: %w", err)
		}
		src.Name, src.File = name, text
	}
	if name, _ := cmd.Flags().GetString("env-file"); name != "" {
		text, err := readFileIfThere(name)
		if err != nil {
			return nil, fmt.Errorf("the env file cannot be read: %w", err)
		}
		if text == nil && cmd.Flags().Changed("env-file") {
			return nil, usageError{fmt.Errorf("there is no env file %s", name)}
		}
		if src.DotEnv, err = godotenv.Parse(bytes.NewReader(text)); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	if f := cmd.Flags().Lookup("listen"); f != nil && f.Changed {
		src.Flags["listen"] = f.Value.String()
	}
	cfg, err := config.Load(src)
	if err != nil {
		return nil, fmt.Errorf("the configuration is wrong:\n%w", err)
	}
	if expose, err := cmd.Flags().GetBool("dangerously-expose-sandbox"); err == nil {
		cfg.ExposeSandbox = expose
	}
	return cfg, p.checkMode(cfg, src.DotEnv)
}

// placed says of each mistake that begins with a setting's path where that setting was made.
func placed(cfg *config.Config, err error) error {
	return eachMistake(err, func(err error) error {
		path, _, _ := strings.Cut(err.Error(), ": ")
		return fmt.Errorf("%s%w", cfg.Place(path), err)
	})
}

// eachMistake tells each of joined mistakes by itself. An error that only wraps several is one: its text is more than theirs.
func eachMistake(err error, tell func(error) error) error {
	several, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return tell(err)
	}
	if joined := errors.Join(several.Unwrap()...); joined == nil || joined.Error() != err.Error() {
		return tell(err)
	}
	var list []error
	for _, one := range several.Unwrap() {
		list = append(list, eachMistake(one, tell))
	}
	return errors.Join(list...)
}

// checkMode keeps the sandbox, whose keys everybody knows, away from anything real.
func (p *process) checkMode(cfg *config.Config, dotEnv map[string]string) error {
	if !cfg.IsSandbox() {
		return nil
	}
	if strings.EqualFold(cmp.Or(p.getenv("COUNTERSIGN_ENV"), dotEnv["COUNTERSIGN_ENV"]), "production") {
		return errors.New("COUNTERSIGN_ENV is production, but without a configuration this would be the sandbox, whose keys are public. Give --config FILE; see countersign.example.yaml")
	}
	if !loopbackListen(cfg.Listen) && !cfg.ExposeSandbox {
		return fmt.Errorf("the sandbox listens on loopback only, because its keys are public: %s is refused. Use 127.0.0.1, or --dangerously-expose-sandbox on a network of your own", cfg.Listen)
	}
	return nil
}

// masterKey is the key that wraps all others: the configured one, or the sandbox's own, kept beside its database.
func masterKey(cfg *config.Config) ([]byte, error) {
	if cfg.SecretKey != nil {
		return cfg.SecretKey, nil
	}
	dir := "."
	if path, ok := sqlitePath(cfg.DatabaseURL); ok {
		dir = filepath.Dir(path)
	}
	name := filepath.Join(dir, "countersign.key")
	text, err := readFileIfThere(name)
	if err != nil {
		return nil, fmt.Errorf("the sandbox's key cannot be read: %w", err)
	}
	if text == nil {
		key := make([]byte, 32)
		rand.Read(key) // never fails (crypto/rand, since Go 1.24)
		text = []byte(base64.StdEncoding.EncodeToString(key) + "\n")
		if err := os.WriteFile(name, text, 0o600); err != nil {
			return nil, fmt.Errorf("the sandbox's key cannot be written: %w", err)
		}
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) != 32 {
		return nil, fmt.Errorf("%s does not hold the sandbox's key; delete it together with the database to start anew", name)
	}
	return key, nil
}

// sqlitePath is the file of an embedded database, without the options that may follow it.
func sqlitePath(databaseURL string) (string, bool) {
	if strings.HasPrefix(databaseURL, "postgres://") || strings.HasPrefix(databaseURL, "postgresql://") {
		return "", false
	}
	path, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(databaseURL, "sqlite:"), "file:"), "?")
	return path, true
}

// logger writes JSON, or text on a terminal.
func (p *process) logger(cfg *config.Config) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.LogLevel)); err != nil {
		level = slog.LevelInfo
	}
	opts := &slog.HandlerOptions{Level: level}
	if cfg.LogFormat == "text" || (cfg.LogFormat == "" && p.terminal) {
		return slog.New(slog.NewTextHandler(p.err, opts))
	}
	return slog.New(slog.NewJSONHandler(p.err, opts))
}
