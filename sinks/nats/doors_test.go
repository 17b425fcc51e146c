package nats_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	natsio "github.com/nats-io/nats.go"

	"github.com/captiond/captiond/sinks/nats"
	"github.com/captiond/captiond/sinks/sinktest"
)

// freeAddress is one that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// A browser hears captions over WebSocket, with the password, and not without.
func TestWebSocket(t *testing.T) {
	s := start(t, nats.ServerOptions{Listen: "127.0.0.1:0", WebSocket: "127.0.0.1:0", User: "anna", Password: "right"})
	if nc, err := natsio.Connect(s.WebSocketURL()); err == nil {
		nc.Close()
		t.Error("without a password")
	}
	nc, err := natsio.Connect(s.WebSocketURL(), natsio.UserInfo("anna", "right"))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	sub, err := nc.SubscribeSync("captiond.captions.>")
	if err == nil {
		err = nc.Flush()
	}
	if err != nil {
		t.Fatal(err)
	}
	publish(t, dial(t, nats.Options{URL: s.URL(), User: "anna", Password: "right"}), 0, 1)
	m, err := sub.NextMsg(10 * time.Second)
	if err != nil || !strings.Contains(string(m.Data), sinktest.Caption(0).Text) {
		t.Errorf("%v, %v", m, err)
	}
}

// A page of another origin may not listen where no password is asked for.
func TestWebSocketOrigin(t *testing.T) {
	s := start(t, nats.ServerOptions{Listen: "127.0.0.1:0", WebSocket: "127.0.0.1:0", Origins: []string{"http://127.0.0.1:8080"}})
	address := strings.TrimPrefix(s.WebSocketURL(), "ws://")
	for origin, want := range map[string]string{"http://127.0.0.1:8080": "101", "http://evil.example": "403"} {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: "+address+"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nOrigin: "+origin+
			"\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
		if err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(conn).ReadString('\n')
		if err != nil || !strings.Contains(line, want) {
			t.Errorf("%s: %q, %v", origin, line, err)
		}
		_ = conn.Close()
	}
}

// mqttPacket is one of MQTT 3.1.1 (OASIS standard, section 2).
func mqttPacket(kind byte, body []byte) []byte { return append([]byte{kind, byte(len(body))}, body...) }

func mqttText(s string) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(s))), s...)
}

// Home automation hears captions over MQTT.
func TestMQTT(t *testing.T) {
	address := freeAddress(t)
	s := start(t, nats.ServerOptions{Listen: "127.0.0.1:0", MQTT: address, User: "anna", Password: "right"})
	for password, want := range map[string]byte{"wrong": 5, "right": 0} {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		connect := append(mqttText("MQTT"), 4, 0xC2, 0, 60) // clean session, user and password
		for _, text := range []string{"home", "anna", password} {
			connect = append(connect, mqttText(text)...)
		}
		send(t, conn, mqttPacket(0x10, connect))
		if answer := receive(t, conn, 4); answer[0] != 0x20 || answer[3] != want {
			t.Fatalf("%s password: answer % x", password, answer)
		}
		if want != 0 {
			continue
		}
		send(t, conn, mqttPacket(0x82, append(append([]byte{0, 1}, mqttText("captiond/captions/#")...), 0)))
		if answer := receive(t, conn, 5); answer[0] != 0x90 {
			t.Fatalf("subscription: answer % x", answer)
		}
		publish(t, dial(t, nats.Options{URL: s.URL(), User: "anna", Password: "right"}), 0, 1)
		var heard bytes.Buffer
		for !strings.Contains(heard.String(), sinktest.Caption(0).Text) {
			heard.Write(receive(t, conn, 1))
		}
		if !strings.Contains(heard.String(), "captiond/captions/") {
			t.Errorf("heard %q", heard.String())
		}
	}
}

func send(t *testing.T, conn net.Conn, b []byte) {
	t.Helper()
	if _, err := conn.Write(b); err != nil {
		t.Fatal(err)
	}
}

func receive(t *testing.T, conn net.Conn, n int) []byte {
	t.Helper()
	b := make([]byte, n)
	if _, err := io.ReadFull(conn, b); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestDoorsBeyondLoopback(t *testing.T) {
	for _, o := range []nats.ServerOptions{{Listen: "0.0.0.0:0"}, {WebSocket: "0.0.0.0:0"}, {MQTT: "0.0.0.0:0"}} {
		o.StoreDir = t.TempDir()
		if s, err := nats.Start(o); err == nil || !strings.Contains(err.Error(), "needs a user and a password") {
			t.Errorf("%+v: %v", o, err)
			if s != nil {
				stop(t, s)
			}
		}
	}
}
