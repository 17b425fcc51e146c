package eval

import (
	"regexp"
	"strings"
)

// A shape is a kind of token: a word, a number, a bracket. Of all that match at a place the
// one that sees farthest wins, its look ahead counted, and of those the first.
type shape struct {
	pattern *regexp.Regexp // the token is its first group, what follows is looked ahead at
	write   func(string) string
}

// like is the shape of tokens that look like token where ahead follows.
func like(token, ahead string, write func(string) string) shape {
	re := regexp.MustCompile(`\A(` + token + `)` + ahead)
	re.Longest()
	return shape{re, write}
}

// Character classes and words of the shapes. Where the reference ignores case it does so
// for letters that stand alone, not for those in brackets; (?i:...) here says the same.
const (
	blank  = `[ \t\n\x{A0}\x{2000}-\x{200A}\x{3000}]`
	accent = `&[aeiouAEIOU](?i:acute|grave|uml);`
	letter = `(?:[\p{L}\p{M}\x{AD}]|` + accent + `)`
	alnum  = `(?:[\p{L}\p{M}\p{Nd}\x{AD}]|` + accent + `)`
	word   = letter + alnum + `*(?:[.!?]` + letter + alnum + `*)*`
	comma  = `[,;:\x{3001}]` // what an abbreviation's dot stays before

	apostrophe = `(?:['\x{92}\x{2019}]|(?i:&apos;))`
	quoteMark  = "(?:" + apostrophe + "|[`\\x{91}\\x{2018}\\x{201B}])" // written for an apostrophe
	clitic     = apostrophe + `(?:[msdMSD]|(?i:re|ve|ll))`
	negation   = `[nN]` + quoteMark + `[tT]`

	ascii    = `[A-Za-z0-9]+`
	dashed   = ascii + `(?:-[A-Za-z]+){0,2}`
	number   = `[-+]?(?:\p{Nd}+|\p{Nd}*(?:[.:,\x{AD}\x{66B}\x{66C}]\p{Nd}+)+)`
	fraction = `(?:\p{Nd}{1,4}[- \x{A0}])?\p{Nd}{1,4}(?:\\?/|\x{2044})\p{Nd}{1,4}`
	date     = `\p{Nd}{1,2}[-/]\p{Nd}{1,2}[-/]\p{Nd}{2,4}`
	initials = `[A-Za-z](?:\.[A-Za-z])*` // U.S
	gap      = `[- \x{A0}]`
	phone    = `(?:\([0-9]{2,3}\)[ \x{A0}]?|(?:\+\+?)?(?:[0-9]{2,4}` + gap + `)?[0-9]{2,4}` + gap + `)[0-9]{3,4}` + gap +
		`?[0-9]{3,5}|(?:(?:\+\+?)?[0-9]{2,4}\.)?[0-9]{2,4}\.[0-9]{3,4}\.[0-9]{3,5}`

	elided   = `(?:[dDoOlL]` + quoteMark + `[\p{L}\p{Nd}])?[\p{L}\p{Nd}]+` // d'or
	hyphened = elided + `(?:[-_\x{58A}\x{2010}\x{2011}]` + elided + `)*`
	joined   = `[A-Za-z0-9][A-Za-z0-9.,\x{AD}]*(?:-(?:[A-Za-z0-9\x{AD}]+|[A-Za-z](?:\.[A-Za-z])+\.))+`
	company  = `[A-Z]+(?:(?:[+&]|(?i:&amp;))[A-Z]+)+` // AT&T

	path       = `[^ \t\n\f\r"<>|.!?(){},-]`
	link       = `(?i:https?)://[^ \t\n\f\r"<>|(){}]+` + path
	site       = `(?:(?i:www)\.(?:[^ \t\n\f\r"<>|.!?(){},]+\.)+[a-zA-Z]{2,4}|(?:[^ \t\n\f\r"'` + "`" + `$|(){}!,-_]+\.)+(?i:com|net|org|edu))`
	sitePath   = `(?:/[^ \t\n\f\r"<>|()]+` + path + `)?`
	domain     = `[^ \t\n\f\r"<>|(){}.\x{A0}]+`
	address    = `(?:(?i:&lt;)|<)?[a-zA-Z0-9][^ \t\n\f\r"<>|()\x{A0}{}]*@(?:` + domain + `\.)*` + domain + `(?:(?i:&gt;)|>)?`
	fileName   = `[\p{L}\p{M}\p{Nd}]+(?:\.[\p{L}\p{M}\p{Nd}]+)*\.(?i:` + extensions + `)`
	extensions = `bat|bmp|c|class|cgi|cpp|dll|docx?|exe|gif|gz|h|html?|jar|java|jpe?g|mov|mp3|pdf|php|pl|png|ppt|ps|py|sql|tar|txt|wav|x|xml|zip`
	tagName    = `[A-Za-z][A-Za-z0-9_:.-]*`
	tagValue   = `(?: *= *(?:'[^'\n]*'|"[^"\n]*"))?`
	tag        = `<(?:[!?][A-Za-z-][^>\r\n]*|` + tagName + `(?: +` + tagName + tagValue + `)* */?|/` + tagName + `) *>`

	smiley  = `[<>]?[:;=][-o*']?[()DPdpO\\{@|\[\]]`
	kaomoji = `[-^x=~<>']_[-^x=~<>']|\([-^x=~<>'][_.]?[-^x=~<>']\)|\([\^x=~<>']-[\^x=~<>'` + "`" + `]\)`
	symbols = `[+%&~^|\\\x{A6}-\x{A9}\x{AC}\x{AE}-\x{B4}\x{B5}-\x{BA}\x{D7}\x{F7}\x{2016}\x{2017}\x{2020}-\x{2023}\x{2030}-\x{2038}` +
		`\x{203B}\x{203E}-\x{2042}\x{2044}\x{207A}-\x{207F}\x{208A}-\x{208E}\x{2100}-\x{214F}\x{2190}-\x{2BFF}\x{3012}\x{30FB}` +
		`\x{FF01}-\x{FF0F}\x{FF1A}-\x{FF20}\x{FF3B}-\x{FF40}\x{FF5B}-\x{FF65}]`
)

// Abbreviations keep their dot. Letters in brackets must have that case: elsewhere these
// are words.
const (
	months    = `Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec|Mon|Tues?|Wed|Thu|Thurs|Fri`
	states    = `Ala|Ariz|Calif|Colo|Conn|Ct|Dak|Fla|Ga|Ind|Kans?|Ky|Md|Mich|Minn|Mo|Mont|Neb|Nev|Okla|Penn|Tenn|Va|Vt|Wisc?|Wyo`
	bigStates = `A(?i:z|rk)|D(?i:el)|I(?i:ll)|L(?i:a)|M(?i:ass|iss)|O(?i:re)|P(?i:a)|T(?i:ex)|W(?i:ash)`
	firms     = `Inc|Cos?|Corp|Pp?t[yYeE]s?|Ltd|Plc|Rt|Bancorp|Bhd|Assn|Univ|Intl|Sys|Jr|Sr|Bros|(?:Ed|Ph)\.D|Blvd|Rd|Esq`
	asides    = `tel|est|ext|sq|etc|al|seq|Bldg`
	titles    = `Mr|Mrs|Ms|Drs?|Profs?|Sens?|Reps?|Attys?|Lt|Col|Gen|Messrs|Govs?|Adm|Rev|Maj|Sgt|Cpl|Pvt|Capt|Ste?|Ave|Pres|` +
		`Lieut|Hon|Brig|Co?mdr|Pfc|Spc|Supts?|Det|Mt|Ft|Adj|Adv|Asst|Assoc|Ens|Insp|Mlle|Mme|Msgr|Sfc`
	names    = `vs|Alex|Wm|Jos|Cie|a\.k\.a|cf|TREAS|Ph|Invt|Elec|Natl|M[fFtT]g|Dept`
	numbered = `ca|figs?|prop|nos?|art|bldg|pp|op`

	ending  = `(?:(?i:` + months + `|` + states + `|` + firms + `|` + asides + `)|` + bigStates + `)\.`
	leading = `(?:(?i:` + titles + `|` + names + `)|M(?i:iss)|` + initials + `)\.`
	// sentences begin with these: a single letter before is no abbreviation
	openings = `(?:A(?i:bout|ccording|dditionally|fter|n|s|t|)|B(?i:ut)|E(?i:arlier)|H(?i:e|er|ere|owever)|I(?i:f|n|t)|L(?i:ast)|` +
		`M(?i:any|ore|r\.|s\.)|N(?i:ow)|O(?i:nce|ne|ther|ur)|S(?i:he|ince|o|ome|uch)|T(?i:hat|he|heir|hen|here|hese|hey|his)|` +
		`W(?i:e|hen|hile|hat)|Y(?i:et|ou))`
)

// apostropheWords are words that begin, end or go on with an apostrophe.
func apostropheWords() string {
	return strings.Join([]string{
		apostrophe + `[nN]` + apostrophe + `?`, `[lLdDjJ]` + apostrophe, `(?i:Dunkin|somethin|ol)` + apostrophe,
		apostrophe + `(?i:em|till?|cause)`, `[A-HJ-XZn]` + quoteMark + `\p{L}{2,}`, apostrophe + `[2-9]0[sS]`,
		`\p{L}+[aeiouyAEIOUY]` + quoteMark + `[aeiouA-Z]\p{L}*`,
		`(?i:cont'd\.?|'twas|nor'easter|c'mon|e'er|s'mores|ev'ry|li'l|nat'l)`, `[oO]` + quoteMark + `[oO]`,
	}, "|")
}

// shapes are all of them, those that win ties first.
func shapes() []shape {
	return []shape{
		like(`[cC]\+\+|[cCfF]#`, ``, asIs),
		like(`(?i:can)`, `(?i:not)`, asIs),
		like(`(?i:'t)`, `(?i:was|is)`, asIs),
		like(`(?i:gon|wan)`, `(?i:na)`, asIs),
		like(`(?i:got)`, `(?i:ta)`, asIs),
		like(`(?i:lem|gim)`, `(?i:me)`, asIs),
		like(tag, ``, bound),
		like(`(?i:&(?:MD|mdash|ndash);)|[\x{96}\x{97}\x{2013}-\x{2015}]`, ``, nothing),
		like(`(?i:&amp;)`, ``, ampersand),
		like(`(?i:&(?:HT|TL|UR|LR|QC|QL|QR|odq|cdq));|&#[0-9]+;`, ``, asIs),
		like(word, clitic, soft),
		like(`[A-Za-z\x{AD}]*[A-MO-Za-mo-z]\x{AD}*`, negation, soft),
		like(word, ``, soft),
		like(apostropheWords(), ``, asIs),
		like(`[yY]`+apostrophe, `\p{L}`, asIs),
		like(link, ``, asIs),
		like(site+sitePath, ``, asIs),
		like(address, ``, asIs),
		like(`@[a-zA-Z_][a-zA-Z_0-9]*|#`+letter+`+`, ``, asIs),
		like(clitic, `[^A-Za-z]`, quotes),
		like(negation, `[^A-Za-z]`, quotes),
		like(date, ``, asIs),
		like(number, ``, soft),
		like(`[\x{207A}\x{207B}\x{208A}\x{208B}]?(?:[\x{2070}\x{B9}\x{B2}\x{B3}\x{2074}-\x{2079}]+|[\x{2080}-\x{2089}]+)`, ``, asIs),
		like(fraction, ``, bound),
		like(`[\x{BC}-\x{BE}\x{2153}-\x{215E}]`, ``, fractions),
		like(`(?i:-(?:RRB|LRB|RCB|LCB|RSB|LSB)-|C\.D\.s|pro-|anti-|S(?:&|&amp;)P-500|S(?:&|&amp;)Ls|Cap`+apostrophe+`n|c`+apostrophe+`est)`, ``, ampersand),
		like(dashed+`(?:\\?/`+dashed+`){1,2}`, ``, asIs),
		like(`[A-Z]*\$|#`, ``, asIs),
		like(`[\x{A2}-\x{A5}\x{80}\x{20A0}\x{20AC}\x{60B}\x{E3F}\x{20A4}\x{FFE0}\x{FFE1}\x{FFE5}\x{FFE6}]`, ``, currency),
		like(`[A-Za-z]`, `\.`+blank+`+(?:`+openings+`|`+tag+`)`+blank, asIs),
		like(`(?i:`+numbered+`)\.`, blank+`?\p{Nd}`, asIs),
		like(ending, `(?s:..)`, asIs),
		like(leading, ``, asIs),
		like(apostrophe+`[0-9][0-9]`, blank, asIs),
		like(fileName, `(?:`+blank+`|[.?!,])`, asIs),
		like(word+`\.`, comma, soft),
		like(phone, ``, brackets),
		like(`"|(?i:&quot;)`, ``, nothing),
		like(`<|(?i:&lt;)`, ``, func(string) string { return "<" }),
		like(`>|(?i:&gt;)`, ``, func(string) string { return ">" }),
		like(smiley, `[^A-Za-z0-9]`, brackets),
		like(kaomoji, ``, brackets),
		like(`[(){}\[\]]`, ``, brackets),
		like(`-+`, ``, dashes),
		like(`\.{3,5}|(?:\.[ \x{A0}]){2,4}\.|[\x{85}\x{2026}]`, ``, nothing),
		like(`@+|#+|_+|\*+|(?:\\\*){1,3}`, ``, asIs),
		like(comma+`|[?!]+|[.\x{A1}\x{BF}\x{37E}\x{589}\x{61F}\x{6D4}\x{700}-\x{702}\x{7FA}\x{3002}=/]`, ``, asIs),
		like(joined+`\.`, comma, soft),
		like(joined, ``, soft),
		like(hyphened+`\.`, comma, asIs),
		like(hyphened, ``, asIs),
		like(company+`\.`, comma, ampersand),
		like(company, ``, ampersand),
		like(`'`, `[A-Za-z][^ \t\n\r\x{A0}]`, nothing),
		like(clitic+`|`+negation, ``, quotes),
		like(apostrophe+`|''|[`+"`"+`\x{2018}-\x{201F}\x{91}-\x{94}\x{2039}\x{203A}\x{AB}\x{BB}]{1,2}`, ``, quotes),
		like(`<<|>>`, ``, asIs),
		like(symbols, ``, asIs),
		like(blank+`+|\x00|[\x{200B}\x{200E}\x{200F}\x{FEFF}]|(?i:&nbsp;)`, ``, nothing),
	}
}

// The ways in which a token is written. None of them lowers its case.

func asIs(s string) string { return s }

// nothing is for what is dropped: spaces and the punctuation that no caption keeps.
func nothing(string) string { return "" }

// soft takes the soft hyphens out.
func soft(s string) string {
	if out := strings.ReplaceAll(s, "\u00AD", ""); out != "" {
		return out
	}
	return "-"
}

// bound makes one token of what has spaces in it.
func bound(s string) string { return strings.ReplaceAll(s, " ", "\u00A0") }

var ampersandEntity = regexp.MustCompile(`(?i)&amp;`)

func ampersand(s string) string { return ampersandEntity.ReplaceAllString(s, "&") }

func quotes(s string) string {
	return strings.NewReplacer("&apos;", "'", "\u0092", "'", "\u2019", "'", "\u203A", "'",
		"\u0091", "`", "\u2018", "`", "\u201B", "`", "\u2039", "`", "\u0093", "``", "\u201C", "``", "\u00AB", "``",
		"\u0094", "''", "\u201D", "''", "\u00BB", "''").Replace(s)
}

func fractions(s string) string {
	return strings.NewReplacer("\u00BC", "1/4", "\u00BD", "1/2", "\u00BE", "3/4", "\u2153", "1/3", "\u2154", "2/3").Replace(s)
}

func currency(s string) string {
	return strings.NewReplacer("\u00A2", "cents", "\u00A3", "#", "\u0080", "$", "\u00A4", "$", "\u20A0", "$", "\u20AC", "$").Replace(s)
}

func brackets(s string) string {
	if len(s) > 1 { // within a longer token only the round ones have names
		return strings.NewReplacer("(", "-LRB-", ")", "-RRB-", " ", "\u00A0").Replace(s)
	}
	return strings.NewReplacer("(", "-LRB-", ")", "-RRB-", "{", "-LCB-", "}", "-RCB-", "[", "-LSB-", "]", "-RSB-").Replace(s)
}

func dashes(s string) string {
	if len(s) < 5 {
		return ""
	}
	return s
}
