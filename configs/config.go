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
	Outbox Outbox `mapstructure:"outbox"`
	Ring   Ring   `mapstructure:"ring"`
	HTTP   HTTP   `mapstructure:"http"`

	Uploads Uploads `mapstructure:"uploads"`
	Jobs    Jobs    `mapstructure:"jobs"`
	Answers Answers `mapstructure:"answers"`
	Reach   Reach   `mapstructure:"reach"`

	Decode Decode `mapstructure:"decode"`
	Log    Log    `mapstructure:"log"`

	Cameras []Camera `mapstructure:"cameras"` // for the file alone
}

// Model says which checkpoints speak and what they run on.
type Model struct {
	Caption   string `mapstructure:"caption" usage:"checkpoint that captions: demo, an imported name, a folder, or a Hub name in the Hugging Face cache"`
	Answer    string `mapstructure:"answer" usage:"checkpoint that answers questions: demo, an imported name, a folder, or a Hub name in the Hugging Face cache"`
	Device    string `mapstructure:"device" usage:"auto, cpu or cuda"`
	Precision string `mapstructure:"precision" usage:"float32, int8 (faster on a CPU; model verify tells the price), or float16 (for a GPU)"`
	Transform string `mapstructure:"transform" usage:"how pictures are made ready: huggingface, microsoft or microsoft-vqa"`
	Library   string `mapstructure:"library" usage:"ONNX Runtime's shared library (default: searched for)"`
	Threads   int    `mapstructure:"threads" usage:"threads of one model; 0 is one for each core"`
	LowMemory bool   `mapstructure:"low_memory" usage:"leave the weights mapped from their file: less memory, slower"`
}

// NATS says where events go.
type NATS struct {
	URL             URL           `mapstructure:"url" usage:"NATS servers to publish to, separated by commas"`
	CredentialsFile string        `mapstructure:"credentials_file" usage:"file with the credentials for the NATS servers"`
	Username        string        `mapstructure:"username" usage:"user of the NATS servers; with the embedded one, what it asks of clients"`
	Password        Secret        `mapstructure:"password" usage:"password of that user"`
	PasswordFile    string        `mapstructure:"password_file" usage:"file with the password of that user"`
	CAFile          string        `mapstructure:"ca_file" usage:"certificates (PEM) to trust, and to insist on TLS"`
	Listen          string        `mapstructure:"listen" usage:"address of the embedded NATS server; port 0 takes a free one; beyond loopback it needs a username and a password"`
	WebSocket       string        `mapstructure:"websocket" usage:"address at which the embedded NATS server speaks WebSocket; empty for none"`
	MQTT            string        `mapstructure:"mqtt" usage:"address at which the embedded NATS server speaks MQTT; empty for none"`
	Prefix          string        `mapstructure:"prefix" usage:"first token of every subject"`
	Retention       time.Duration `mapstructure:"retention" usage:"how long the stream keeps events"`
	MaxBytes        Size          `mapstructure:"max_bytes" usage:"how much the stream keeps"`
}

// Outbox limits what waits on the disk for a broker that is away.
type Outbox struct {
	MaxBytes Size          `mapstructure:"max_bytes" usage:"how much waits for a broker that is away"`
	MaxAge   time.Duration `mapstructure:"max_age" usage:"how long events wait for a broker that is away"`
}

// Ring limits what is remembered of cameras, for questions about the past.
type Ring struct {
	Length   time.Duration `mapstructure:"length" usage:"how long the features of cameras are remembered"`
	MaxBytes Size          `mapstructure:"max_bytes" usage:"memory for the features of all cameras"`
	Answers  bool          `mapstructure:"answers" usage:"remember what the answer model sees, too, where it is another than the caption model"`
}

// HTTP is the door for browsers, scripts and monitoring.
type HTTP struct {
	Listen       string `mapstructure:"listen" usage:"address of the HTTP server; port 0 takes a free one, empty is none; beyond loopback it needs a token"`
	Hosts        string `mapstructure:"hosts" usage:"names by which clients may ask for it, separated by commas, beside localhost and addresses"`
	RequireToken bool   `mapstructure:"require_token" usage:"ask for a token on the loopback interface, too"`
	CertFile     string `mapstructure:"cert_file" usage:"certificate (PEM) of the HTTP server; with key_file it speaks TLS"`
	KeyFile      string `mapstructure:"key_file" usage:"private key (PEM) of that certificate"`
}

// Uploads limits the videos that clients send.
type Uploads struct {
	MaxBytes  Size          `mapstructure:"max_bytes" usage:"largest upload"`
	Retention time.Duration `mapstructure:"retention" usage:"how long an upload and its captions are kept"`
	Reserve   Size          `mapstructure:"reserve" usage:"disk that uploads leave free"`
	Shared    bool          `mapstructure:"shared" usage:"hand uploads on by NATS object store, for workers on other hosts"`
}

// Jobs says how uploads are captioned.
type Jobs struct {
	Workers  int           `mapstructure:"workers" usage:"uploads that this process captions at once; 0 leaves them to others"`
	Queue    int           `mapstructure:"queue" usage:"uploads that may wait"`
	Attempts int           `mapstructure:"attempts" usage:"how often a job is begun without getting further before it has failed"`
	Patience time.Duration `mapstructure:"patience" usage:"how long a job may make no progress before it is begun again, here or elsewhere"`
}

// Answers limits what questions may cost.
type Answers struct {
	Memory   Size `mapstructure:"memory" usage:"memory for what was asked about lately: further questions about it cost little"`
	AtOnce   int  `mapstructure:"at_once" usage:"requests with questions that are answered at once"`
	Waiting  int  `mapstructure:"waiting" usage:"requests with questions that may wait for their turn; more are told to come later"`
	MaxBytes Size `mapstructure:"max_bytes" usage:"largest picture or clip that comes with its questions"`
}

// Reach says where addresses that clients give may lead: public; local, which are private
// networks too; or any. Those of the configuration file are the operator's word.
type Reach struct {
	Videos  string `mapstructure:"videos" usage:"where the address of a video, given by a client, may lead: public, local or any"`
	Cameras string `mapstructure:"cameras" usage:"where the address of a camera, given by a client, may lead: public, local or any"`
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
		Outbox: Outbox{MaxBytes: 1 << 30, MaxAge: 24 * time.Hour},
		Ring:   Ring{Length: 10 * time.Minute, MaxBytes: 1 << 30, Answers: true},
		HTTP:   HTTP{Listen: "127.0.0.1:8080"},

		Uploads: Uploads{MaxBytes: 2 << 30, Retention: 7 * 24 * time.Hour, Reserve: 2 << 30},
		Jobs:    Jobs{Workers: 1, Queue: 1000, Attempts: 4, Patience: 30 * time.Second},
		Answers: Answers{Memory: 512 << 20, AtOnce: 2, Waiting: 32, MaxBytes: 64 << 20},
		Reach:   Reach{Videos: "public", Cameras: "local"},

		Decode: Decode{MaxPixels: 8192 * 4320, Memory: 3 << 30, Sandbox: "strict", Spool: 1 << 30, SpoolTime: 8 * time.Second},
		Log:    Log{Level: slog.LevelInfo, Format: "text"},
	}
}
