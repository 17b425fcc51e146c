// Package configs holds what can be configured: the keys, their defaults, where their
// values come from and which values are wrong. Flags stand over environment variables,
// these over the file, the file over the defaults. captiond.yaml beside this file is
// the annotated reference.
//
// It reads strictly: unknown keys and CAPTIOND_ variables, numbers where a unit belongs
// and empty values are refused, all at once. It is the only importer of viper, keeps no
// state and is imported by cmd alone.
package configs

import (
	"log/slog"
	"time"
)

// Config is the whole configuration. The tags name the keys and explain them on the
// command line.
type Config struct {
	State  string `mapstructure:"state" usage:"folder of what must survive a restart, imported models among it (default $STATE_DIRECTORY, else the user's state folder)"`
	Model  Model  `mapstructure:"model"`
	NATS   NATS   `mapstructure:"nats"`
	Decode Decode `mapstructure:"decode"`
	Log    Log    `mapstructure:"log"`
}

// Model says which checkpoints speak and what they run on.
type Model struct {
	Caption   string `mapstructure:"caption" usage:"checkpoint that captions: demo, an imported name, a folder, or a Hub name in the Hugging Face cache"`
	Answer    string `mapstructure:"answer" usage:"checkpoint that answers questions: demo, an imported name, a folder, or a Hub name in the Hugging Face cache"`
	Device    string `mapstructure:"device" usage:"auto, cpu or cuda"`
	Precision string `mapstructure:"precision" usage:"float32"`
	Transform string `mapstructure:"transform" usage:"how pictures are made ready: huggingface, microsoft or microsoft-vqa"`
	Library   string `mapstructure:"library" usage:"ONNX Runtime's shared library (default: searched for)"`
	Threads   int    `mapstructure:"threads" usage:"threads of one model; 0 is one for each core"`
	LowMemory bool   `mapstructure:"low_memory" usage:"leave the weights mapped from their file: less memory, slower"`
}

// NATS says where events go.
type NATS struct {
	URL             URL           `mapstructure:"url" usage:"NATS servers to publish to, separated by commas"`
	CredentialsFile string        `mapstructure:"credentials_file" usage:"file with the credentials for the NATS servers"`
	Listen          string        `mapstructure:"listen" usage:"loopback address of the embedded NATS server; port 0 takes a free one"`
	Prefix          string        `mapstructure:"prefix" usage:"first token of every subject"`
	Retention       time.Duration `mapstructure:"retention" usage:"how long the stream keeps events"`
	MaxBytes        Size          `mapstructure:"max_bytes" usage:"how much the stream keeps"`
}

// Decode limits what one input may cost.
type Decode struct {
	MaxPixels int           `mapstructure:"max_pixels" usage:"largest picture, width times height"`
	Memory    Size          `mapstructure:"memory" usage:"address space of the decoder"`
	Sandbox   string        `mapstructure:"sandbox" usage:"strict, or weak: go on where the kernel has no seccomp"`
	Spool     Size          `mapstructure:"spool" usage:"how much of standard input is taken"`
	SpoolTime time.Duration `mapstructure:"spool_time" usage:"how long standard input may take to its end"`
}

// Log says what is told of the work itself, on standard error.
type Log struct {
	Level  slog.Level `mapstructure:"level" usage:"debug, info, warn or error"`
	Format string     `mapstructure:"format" usage:"text or json"`
}

// Default is the configuration where nothing is given. State is empty there: Load
// chooses it by the environment.
func Default() Config {
	return Config{
		Model: Model{
			Caption: "demo", Answer: "demo",
			Device: "auto", Precision: "float32", Transform: "huggingface",
		},
		NATS: NATS{
			Listen: "127.0.0.1:4222", Prefix: "captiond",
			Retention: 7 * 24 * time.Hour, MaxBytes: 1 << 30,
		},
		Decode: Decode{MaxPixels: 8192 * 4320, Memory: 3 << 30, Sandbox: "strict", Spool: 1 << 30, SpoolTime: 8 * time.Second},
		Log:    Log{Level: slog.LevelInfo, Format: "text"},
	}
}
