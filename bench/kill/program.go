package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"
)

// This file is the program that is killed, and its clients.

// codes are the codes that vendors were given, by verification.
type codes struct {
	mu   sync.Mutex
	byID map[string]string
}

func (c *codes) put(id, code string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byID == nil {
		c.byID = map[string]string{}
	}
	c.byID[id] = code
}

func (c *codes) get(id string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.byID[id]
}

// program is one Countersign at one address, started again and again.
type program struct {
	binary, config string
	url            string
	environ        []string
	cmd            *exec.Cmd
	log            *os.File
	client         *http.Client
}

const configuration = `mode: sandbox
log: {level: error}
store_timeout: 5s
providers:
  a: {type: webhook, url: %[1]s/a, secrets: [whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=], timeout: 3s}
  b: {type: webhook, url: %[1]s/b, secrets: [whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=], timeout: 3s}
apps:
  demo: {lifetime: 600s, routes: {sms: [a, b]}}
`

func newProgram(binary, dir, vendorURL, redis string) (*program, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		return nil, err
	}
	p := &program{
		binary: binary, config: filepath.Join(dir, "countersign.yaml"), url: "http://" + address,
		client: &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 512}},
	}
	if err := os.WriteFile(p.config, fmt.Appendf(nil, configuration, vendorURL), 0o600); err != nil {
		return nil, err
	}
	p.environ = append(os.Environ(), "COUNTERSIGN_LISTEN="+address, "COUNTERSIGN_DATABASE_URL="+filepath.Join(dir, "countersign.db"))
	if redis != "" {
		p.environ = append(p.environ, "COUNTERSIGN_REDIS_URL="+redis)
	}
	p.log, err = os.Create(filepath.Join(dir, "log"))
	return p, err
}

// up starts the program and returns when it answers.
func (p *program) up() error {
	p.cmd = exec.Command(p.binary, "serve", "--config", p.config, "--env-file", "")
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = p.environ, p.log, p.log
	if err := p.cmd.Start(); err != nil {
		p.cmd = nil // nothing is there to be killed
		return fmt.Errorf("starting the program (-binary): %w", err)
	}
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		res, err := p.client.Get(p.url + "/readyz")
		if err != nil {
			continue
		}
		res.Body.Close()
		if res.StatusCode == http.StatusOK {
			return nil
		}
	}
	return errors.Join(errors.New("the program does not answer; its log is "+p.log.Name()), p.kill())
}

// kill is kill -9.
func (p *program) kill() error {
	if p.cmd == nil {
		return nil
	}
	err := p.cmd.Process.Kill()
	_ = p.cmd.Wait() // it says that it was killed
	p.cmd = nil
	p.client.CloseIdleConnections()
	return err
}

// answer is what a request got.
type answer struct {
	status int
	body   struct {
		ID, Status, Code string
	}
}

func (p *program) call(method, path string, body any) (*answer, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	var reader io.Reader
	if body != nil {
		reader = bytes.NewReader(text)
	}
	req, err := http.NewRequest(method, p.url+path, reader)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer sk_sandbox_demo")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := p.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	a := &answer{status: res.StatusCode}
	text, err = io.ReadAll(res.Body)
	if err == nil && len(text) > 0 {
		err = json.Unmarshal(text, &a.body)
	}
	return a, err
}
