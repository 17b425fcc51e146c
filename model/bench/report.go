package bench

// Report is one measurement of one model. Times are medians in seconds; a spread is
// (greatest - least) / median over the rounds. What was not measured is 0.
type Report struct {
	Shape     string `json:"shape"`
	Device    string `json:"device"`
	Precision string `json:"precision"`
	Frames    int    `json:"frames"`
	Tokens    int    `json:"tokens"`
	Rounds    int    `json:"rounds"`
	Threads   int    `json:"threads"`
	Machine

	EncoderVsMatmul     float64 `json:"encoder_vs_matmul"`      // share of the matrix-multiply rate
	PrefixVsMatmul      float64 `json:"prefix_vs_matmul"`       // likewise
	StepVsBandwidth     float64 `json:"step_vs_bandwidth"`      // share of the memory bandwidth; 0 on a GPU
	SecondQuestionRatio float64 `json:"second_question_ratio"`  // of the first question's time
	FurtherQuestion     float64 `json:"further_question_ratio"` // each of 2 to 5 of one request, of the first question's time
	SlidingWindowRatio  float64 `json:"sliding_window_ratio"`   // of a full window's time; 0 with one frame
	LabelsRatio         float64 `json:"labels_1000_vs_10"`      // of the times, encoder and prefix included
	ClipSeconds         float64 `json:"clip_seconds"`           // encoder, prefix and tokens
	LoadSeconds         float64 `json:"load_seconds"`
	StartupSeconds      float64 `json:"startup_to_first_caption_seconds"` // load and first clip
	PeakRSSBytes        int64   `json:"peak_rss_bytes"`                   // of load and first clip
	ProgramRSSBytes     int64   `json:"program_rss_bytes"`                // before a model was opened
	WeightsBytes        int64   `json:"weights_bytes"`
	PeakVsWeights       float64 `json:"peak_vs_weights"` // peak without the program

	EncoderVsMatmulSpread float64 `json:"encoder_vs_matmul_spread"`
	PrefixVsMatmulSpread  float64 `json:"prefix_vs_matmul_spread"`
	StepVsBandwidthSpread float64 `json:"step_vs_bandwidth_spread"`
	SecondQuestionSpread  float64 `json:"second_question_ratio_spread"`
	FurtherQuestionSpread float64 `json:"further_question_ratio_spread"`
	SlidingWindowSpread   float64 `json:"sliding_window_ratio_spread"`
	LabelsSpread          float64 `json:"labels_1000_vs_10_spread"`
	Spread                float64 `json:"spread"` // of the clip

	MatmulGFLOPS      float64 `json:"matmul_gflops"` // rate of the matrix products
	BandwidthGBPerSec float64 `json:"bandwidth_gb_per_second"`
	TokenBytes        float64 `json:"token_bytes"` // that must be read for one token
	EncoderSeconds    float64 `json:"encoder_seconds"`
	PrefixSeconds     float64 `json:"prefix_seconds"`
	TokensSeconds     float64 `json:"tokens_seconds"`
	TokenSeconds      float64 `json:"token_seconds"`  // one of them
	LabelsSeconds     float64 `json:"labels_seconds"` // of 1,000 labels alone
}

// yardsticks are what times are held against.
type yardsticks struct {
	clip     Work
	products float64 // operations of the matrix products
	token    float64 // bytes that a token must read
	memory   float64 // bytes of a reading of the memory; 0: none was made
	tokens   float64 // of a text
}

// fill sums the rounds up. Ratios are taken round by round, so that drift between rounds
// cancels.
func (r *Report) fill(rounds []times, y yardsticks) {
	set := func(value, spread *float64, figure func(times) float64) {
		both := ratio(rounds, figure)
		*value, *spread = both.Median, both.Spread
	}
	set(&r.EncoderVsMatmul, &r.EncoderVsMatmulSpread, func(t times) float64 { return y.clip.Encoder / t.encoder / (y.products / t.products) })
	set(&r.PrefixVsMatmul, &r.PrefixVsMatmulSpread, func(t times) float64 { return y.clip.Prefix / t.prefix / (y.products / t.products) })
	set(&r.SecondQuestionRatio, &r.SecondQuestionSpread, func(t times) float64 { return t.second / t.clip() })
	set(&r.FurtherQuestion, &r.FurtherQuestionSpread, func(t times) float64 { return t.further() / t.clip() })
	set(&r.SlidingWindowRatio, &r.SlidingWindowSpread, func(t times) float64 { return t.slide / t.clip() })
	set(&r.LabelsRatio, &r.LabelsSpread, times.labels)
	set(&r.ClipSeconds, &r.Spread, times.clip)
	r.EncoderSeconds = median(rounds, func(t times) float64 { return t.encoder })
	r.PrefixSeconds = median(rounds, func(t times) float64 { return t.prefix })
	r.TokensSeconds = median(rounds, func(t times) float64 { return t.first })
	r.LabelsSeconds = median(rounds, func(t times) float64 { return t.many })
	r.TokenSeconds, r.TokenBytes = r.TokensSeconds/y.tokens, y.token
	r.MatmulGFLOPS = y.products / median(rounds, func(t times) float64 { return t.products }) / 1e9
	if y.memory > 0 {
		set(&r.StepVsBandwidth, &r.StepVsBandwidthSpread, func(t times) float64 { return y.tokens * y.token / t.first / (y.memory / t.memory) })
		r.BandwidthGBPerSec = y.memory / median(rounds, func(t times) float64 { return t.memory }) / 1e9
	}
}
