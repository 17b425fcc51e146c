#!/bin/bash
# Makes the test clips of frames/ffmpeg with the ffmpeg command line (5.1, Debian 12).
# Run by hand in this folder; the clips and truth.tsv are committed.
#
# Every picture of the barcode clips says which one it is: its top half is eight cells,
# dark or bright, the bits of its number, least significant first; of its bottom half the
# left is bright and the right dark, so that a turned or mirrored picture is noticed.
set -euo pipefail
cd "$(dirname "$0")"
rm -f -- *.mp4 *.mov *.mkv *.webm *.ts *.mpg *.avi *.flv *.wmv *.ogv *.gif *.m4v *.3gp truth.tsv

ff() { ffmpeg -nostdin -hide_banner -loglevel error -y -threads 1 -bitexact "$@"; }
# bars SIZE RATE COUNT: the barcode as a lavfi source
bars() {
  local w=${1%x*} h=${1#*x}
  echo "color=black:s=$1:r=$2:d=$(awk "BEGIN{print $3/($2)}"),format=yuv420p,geq=lum='if(lt(Y,$h/2),16+219*mod(floor(N/pow(2,floor(X*8/$w))),2),if(lt(X,$w/2),235,16))':cb=128:cr=128"
}
# flat COLOUR SIZE COUNT: one colour, RGB
flat() { echo "color=c=$1:s=$2:r=10:d=$(awk "BEGIN{print $3/10}"),format=gbrp"; }
video() { ff -f lavfi -i "$(bars 128x96 10 "$1")" "${@:2}"; }
X264="-c:v libx264 -preset medium -crf 23 -pix_fmt yuv420p -g 10 -keyint_min 10 -sc_threshold 0"

# containers and codecs
video 40 $X264 -bf 0 h264.mp4
video 40 $X264 -bf 2 -movflags faststart h264-b.mp4
ff -i h264-b.mp4 -c copy -map_metadata -1 -metadata title="a tiny clip" -metadata creation_time=2026-01-02T03:04:05Z h264-b.mkv
ff -i h264-b.mp4 -c copy -metadata title="a tiny clip" -metadata creation_time=2026-01-02T03:04:05Z h264-b.mov
ff -i h264-b.mp4 -c copy -muxpreload 0 -muxdelay 0 h264-b.ts
ff -i h264-b.mp4 -c copy h264-b.flv
ff -i h264.mp4 -c copy h264.avi
ff -i h264-b.mp4 -c copy h264-nopts.avi
ff -i h264-b.mp4 -c copy -movflags frag_keyframe+empty_moov+default_base_moof h264-frag.mp4
video 40 $X264 -bf 3 -x264-params open-gop=1:bframes=3:b-adapt=0 h264-open.mkv
video 40 $X264 -bf 3 -x264-params open-gop=1:bframes=3:b-adapt=0 h264-open.mp4
video 40 $X264 -bf 3 -x264-params open-gop=1:bframes=3:b-adapt=0 h264-open.ts
video 40 $X264 -bf 0 -x264-params intra-refresh=1:keyint=10 h264-refresh.mkv
video 40 -c:v libx265 -preset medium -crf 26 -g 10 -x265-params log-level=none:keyint=10:min-keyint=10:open-gop=0:bframes=3 -tag:v hvc1 hevc.mp4
video 40 -c:v libx265 -preset medium -crf 26 -g 10 -x265-params log-level=none:keyint=10:min-keyint=10:open-gop=1:bframes=3:b-adapt=0:scenecut=0 hevc-open.mkv
video 40 -c:v libx265 -preset medium -crf 26 -g 10 -x265-params log-level=none:keyint=10:min-keyint=10:open-gop=1:bframes=3:b-adapt=0:scenecut=0 hevc-open.ts
video 40 -c:v libvpx -b:v 60k -g 10 -auto-alt-ref 1 -lag-in-frames 12 vp8.webm
video 40 -c:v libvpx-vp9 -b:v 60k -g 10 -auto-alt-ref 1 -lag-in-frames 12 vp9.webm
video 30 -c:v libaom-av1 -cpu-used 6 -crf 40 -b:v 0 -g 10 av1.mkv
ff -i av1.mkv -c copy av1.mp4
ff -f lavfi -i "$(bars 128x96 25 40)" -c:v mpeg1video -q:v 4 -g 10 -bf 2 mpeg1.mpg
ff -f lavfi -i "$(bars 128x96 25 40)" -c:v mpeg2video -q:v 4 -g 10 -bf 2 mpeg2.ts
ff -f lavfi -i "$(bars 128x96 25 40)" -c:v mpeg2video -q:v 4 -g 10 -bf 2 -f vob mpeg2.mpg
video 30 -c:v mpeg4 -q:v 4 -g 10 -bf 0 mpeg4.avi
video 30 -c:v mpeg4 -q:v 4 -g 10 -bf 2 mpeg4-b.avi
video 30 -c:v mpeg4 -q:v 4 -g 10 -bf 2 mpeg4-b.m4v.mp4 && mv mpeg4-b.m4v.mp4 mpeg4-b.mp4
video 30 -c:v msmpeg4v2 -q:v 4 -g 10 msmpeg4v2.avi
video 30 -c:v msmpeg4 -q:v 4 -g 10 msmpeg4v3.avi
video 12 -c:v mjpeg -q:v 6 -pix_fmt yuvj420p mjpeg.avi
video 12 -c:v mjpeg -q:v 6 -pix_fmt yuvj420p mjpeg.mov
video 6 -c:v prores_ks -profile:v 0 -q:v 24 -pix_fmt yuv422p10le prores.mov
ff -f lavfi -i "$(bars 256x128 10 4)" -c:v dnxhd -profile:v dnxhr_lb -pix_fmt yuv422p dnxhr.mov
ff -f lavfi -i "$(bars 720x480 30000/1001 2)" -c:v dvvideo -pix_fmt yuv411p dv.avi
video 30 -c:v wmv1 -q:v 4 -g 10 wmv1.wmv
video 30 -c:v wmv2 -q:v 4 -g 10 wmv2.wmv
video 30 -c:v libtheora -q:v 5 -g 10 theora.ogv
ff -f lavfi -i "$(bars 128x96 30000/1001 30)" -c:v h263 -q:v 4 -g 10 h263.3gp
video 30 -c:v flv -q:v 4 -g 10 flv1.flv
ff -f lavfi -i "$(bars 128x96 10 12)" gif.gif

# times
video 40 $X264 -bf 2 -vf "select='not(mod(n*n,3))+lt(n,8)',setpts='PTS+floor(N/7)*0.37/TB'" -fps_mode vfr -video_track_timescale 90000 vfr.mp4
ff -i vfr.mp4 -c copy vfr.mkv
video 1 $X264 one.mp4
video 1 $X264 one.mkv
ff -ss 1.45 -i h264-b.mp4 -c copy edit.mp4          # an edit list that begins inside a GOP
ff -itsoffset 5 -i h264-b.mp4 -c copy late.mp4       # an empty edit first
ff -itsoffset 3600 -copyts -i h264-b.mp4 -c copy -muxpreload 0 -muxdelay 0 late.ts
ff -itsoffset 95442 -copyts -i h264-b.mp4 -c copy -mpegts_copyts 1 -muxpreload 0 -muxdelay 0 wrap.ts
video 20 $X264 -bf 2 -muxpreload 0 -muxdelay 0 a.ts
ff -f lavfi -i "$(bars 256x192 10 20)" $X264 -bf 2 -muxpreload 0 -muxdelay 0 b.ts
cat a.ts b.ts > jump.ts                              # the time stamps begin anew in the middle, and another size
ff -itsoffset 2 -i b.ts -c copy -muxpreload 0 -muxdelay 0 -copyts c.ts
cat a.ts c.ts > resize.ts && rm a.ts b.ts c.ts       # another size, time goes on

# pictures: shape
# stored turned or mirrored, with the display matrix that brings them upright
matrix() { # FILE A B C D: puts a display matrix into the (last) track header of an mp4
  python3 - "$@" <<'PY'
import struct, sys
name, m = sys.argv[1], [int(v) << 16 for v in sys.argv[2:6]]
b = bytearray(open(name, 'rb').read())
i = b.index(b'tkhd') + 4 + 40
b[i:i+36] = struct.pack('>9i', m[0], m[1], 0, m[2], m[3], 0, 0, 0, 1 << 30)
open(name, 'wb').write(b)
PY
}
video 12 $X264 -vf transpose=cclock turn-90.mp4 && matrix turn-90.mp4 0 1 -1 0
video 12 $X264 -vf hflip,vflip turn-180.mp4 && matrix turn-180.mp4 -1 0 0 -1
video 12 $X264 -vf transpose=clock turn-270.mp4 && matrix turn-270.mp4 0 -1 1 0
video 12 $X264 -vf hflip flip-h.mp4 && matrix flip-h.mp4 -1 0 0 1
video 12 $X264 -vf vflip flip-v.mp4 && matrix flip-v.mp4 1 0 0 -1
video 12 $X264 -vf transpose=cclock_flip transpose.mp4 && matrix transpose.mp4 0 1 1 0
video 12 $X264 -vf transpose=clock_flip transverse.mp4 && matrix transverse.mp4 0 -1 -1 0
video 12 $X264 -vf setsar=64/45 sar.mp4
video 12 $X264 -vf transpose=cclock,setsar=3/4 sar-turn.mp4 && matrix sar-turn.mp4 0 1 -1 0
ff -f lavfi -i "$(bars 130x98 10 12),format=yuv444p,crop=129:97:0:0:exact=1" -c:v libx264 -pix_fmt yuv444p -crf 20 odd.mkv
ff -f lavfi -i "color=black:s=128x96:r=20:d=1.2,format=yuv420p,geq=lum='if(lt(X,mod(N*4\,128)),235,16)':cb=128:cr=128,interlace" $X264 -x264-params tff=1 interlaced.mp4

# pictures: colour. 220,40,40 in each matrix, range and depth
M() { echo "scale=out_color_matrix=$1:out_range=$2:flags=accurate_rnd+full_chroma_int,format=$3"; }
red() { ff -f lavfi -i "$(flat 0xdc2828 64x48 3)" -vf "$(M "$2" "$3" "$4")" -c:v "$5" -crf 8 -color_range "$3" "${@:6}" "$1"; }
red red-709.mp4 bt709 tv yuv420p libx264 -colorspace bt709 -color_primaries bt709 -color_trc bt709
red red-601.mp4 smpte170m tv yuv420p libx264 -colorspace smpte170m -color_primaries smpte170m -color_trc smpte170m
red red-full.mp4 bt709 pc yuv420p libx264 -colorspace bt709 -color_primaries bt709 -color_trc bt709
red red-10.mkv bt709 tv yuv420p10le libx264 -colorspace bt709 -color_primaries bt709 -color_trc bt709
red red-422.mkv bt709 tv yuv422p10le libx264 -colorspace bt709 -color_primaries bt709 -color_trc bt709
red red-2020.mp4 bt2020 tv yuv420p10le libx265 -x265-params log-level=none -colorspace bt2020nc -color_primaries bt709 -color_trc bt709
red red-none.mp4 bt601 tv yuv420p libx264
ff -f lavfi -i "$(flat 0xdc2828 64x48 3)" -c:v libx264rgb -crf 4 red-rgb.mkv
ff -f lavfi -i "$(flat 0x808080 64x48 3),format=gray" -c:v libx264 -crf 8 grey.mkv
ff -f lavfi -i "$(flat 0xdc2828 64x48 2),format=rgba,colorchannelmixer=aa=0.5" -c:v prores_ks -profile:v 4 -pix_fmt yuva444p10le -color_range tv -colorspace smpte170m alpha.mov
ff -f lavfi -i "$(flat 0xdc2828 64x48 3)" -vf "split[a][b];[a]palettegen[p];[b][p]paletteuse" gif-red.gif
# HDR: a grey of 203 cd/m2 (the reference white) and of 1000 cd/m2 side by side, as code values of PQ and HLG
hdr() { ff -f lavfi -i "color=black:s=64x48:r=10:d=0.3,format=yuv420p10le,geq=lum='if(lt(X\,32)\,$2\,$3)':cb=512:cr=512" -c:v libx265 -crf 8 \
  -x265-params "log-level=none:colorprim=bt2020:transfer=$4:colormatrix=bt2020nc:range=limited" -color_range tv -colorspace bt2020nc -color_primaries bt2020 -color_trc "$4" "$1"; }
hdr hdr-pq.mp4 573 723 smpte2084
hdr hdr-hlg.mp4 721 940 arib-std-b67

# tracks
ff -f lavfi -i "sine=d=1" -f lavfi -i "$(flat 0x2040e0 64x64 1)" -map 0 -map 1 -c:a aac -b:a 16k -c:v:0 mjpeg -pix_fmt:v yuvj420p -frames:v 1 -disposition:v:0 attached_pic cover-only.m4v.mp4 && mv cover-only.m4v.mp4 cover-only.mp4
ff -i h264-b.mp4 -f lavfi -i "$(flat 0x2040e0 320x320 1)" -map 0 -map 1 -c:v:0 copy -c:v:1 mjpeg -pix_fmt:v:1 yuvj420p -disposition:v:1 attached_pic cover.mp4
ff -i h264-b.mp4 -f lavfi -i "$(flat 0x2040e0 64x48 40)" -map 1 -map 0 -c:v:0 libx264 -pix_fmt:v:0 yuv420p -c:v:1 copy -disposition:v:0 0 -disposition:v:1 default two.mkv
ff -f lavfi -i "sine=d=1" -c:a aac -b:a 16k audio.mp4
ff -i h264-b.mp4 -f lavfi -i "sine=d=4" -c:v copy -c:a aac -b:a 8k -ac 1 sound.mkv

# damage and malice
size=$(stat -c %s h264-b.mp4); head -c $((size * 17 / 20)) h264-b.mp4 > cut.mp4
size=$(stat -c %s h264-b.mkv); head -c $((size * 6 / 10)) h264-b.mkv > cut.mkv
size=$(stat -c %s h264-b.ts); head -c $((size * 6 / 10)) h264-b.ts > cut.ts
size=$(stat -c %s h264.mp4); head -c $((size * 6 / 10)) h264.mp4 > nomoov.mp4
ff -f lavfi -i "color=black:s=128x96:r=10:d=0.3" -c:v magicyuv -pix_fmt gbrp magicyuv.avi
ff -f lavfi -i "color=black:s=64x48:r=10:d=0.3" -c:v ffv1 ffv1.mkv
python3 - <<'PY'
import struct
b = bytearray(open('h264.mp4', 'rb').read())          # 16384x8704 in the sample entry: a header that lies
i = b.rindex(b'avc1'); b[i+28:i+32] = struct.pack('>HH', 16384, 8704); open('huge.mp4', 'wb').write(b)
b = bytearray(open('mpeg4.avi', 'rb').read())         # each picture lasts 38 days
i = b.index(b'strh'); b[i+28:i+36] = struct.pack('<II', 3300000, 1); open('absurd.avi', 'wb').write(b)
b = bytearray(open('h264-b.mp4', 'rb').read())        # a picture is damaged in the middle
i = b.index(b'mdat'); n = len(b); p = i + (n - i) // 2; b[p:p+60] = bytes(60); open('bruised.mp4', 'wb').write(b)
PY
mkdir -p hostile
printf '#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nh264-b.ts\n#EXT-X-ENDLIST\n' > hostile/playlist.mp4
printf "ffconcat version 1.0\nfile h264.mp4\n" > hostile/concat.mp4
printf 'v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n' > hostile/sdp.mp4
printf '<?xml version="1.0"?><MPD><Period><BaseURL>h264.mp4</BaseURL></Period></MPD>' > hostile/dash.mp4

# truth.tsv: name, the pictures' PTS as ffprobe sees them (microseconds), the end of the last packet
for f in *.mp4 *.mov *.mkv *.webm *.ts *.mpg *.avi *.flv *.wmv *.ogv *.gif *.3gp; do
  pts=$(ffprobe -loglevel quiet -select_streams V:0 -show_entries frame=best_effort_timestamp_time -of csv=p=0 "$f" | tr -d ' ,' | paste -sd, || true)
  end=$(ffprobe -loglevel quiet -select_streams V:0 -show_entries packet=pts_time,duration_time -of csv=p=0 "$f" | awk -F, '$1!="N/A"{e=$1+$2; if(e>m||NR==1)m=e} END{printf "%.6f", m}' || true)
  printf '%s\t%s\t%s\n' "$f" "$end" "$pts"
done > truth.tsv
