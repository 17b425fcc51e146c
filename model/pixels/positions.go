package pixels

import "math"

// InterpolatePositions fits a table of position embeddings to another grid, for pictures
// of another size than the checkpoint was trained at: bicubic with a = -0.75 and
// align_corners=False, as torch.nn.functional.interpolate. The table is [1+g*g, width],
// row-major with the class embedding first, which is kept; the result is [1+gh*gw, width],
// and the table itself where the grid is the same. It panics on a table of another length.
func InterpolatePositions(table []float32, width, gh, gw int) []float32 {
	g := int(math.Sqrt(float64(len(table)/width - 1)))
	grid := table[width : (1+g*g)*width]
	if gh == g && gw == g {
		return table
	}
	out := make([]float32, (1+gh*gw)*width)
	copy(out, table[:width])
	across := cubics(g, gw)
	for y, down := range cubics(g, gh) {
		for x, right := range across {
			cell := out[(1+y*gw+x)*width:][:width]
			for i, row := range down.at {
				for j, column := range right.at {
					addScaled(cell, grid[(row*g+column)*width:][:width], down.k[i]*right.k[j])
				}
			}
		}
	}
	return out
}

func addScaled(dst, src []float32, k float32) {
	for i, s := range src {
		dst[i] += k * s
	}
}

// cubic is the four cells that make one cell of another grid, the edge ones repeated.
type cubic struct {
	at [4]int
	k  [4]float32
}

func cubics(from, to int) []cubic {
	all := make([]cubic, to)
	scale := float32(from) / float32(to)
	for i := range all {
		centre := float64(scale*(float32(i)+0.5) - 0.5)
		first := math.Floor(centre)
		for j := range 4 {
			cell := int(first) + j - 1
			all[i].at[j] = min(max(cell, 0), from-1)
			all[i].k[j] = float32(keys(math.Abs(centre - float64(cell))))
		}
	}
	return all
}

// keys is Keys' cubic convolution kernel with torch's parameter.
func keys(x float64) float64 {
	const a = -0.75
	if x <= 1 {
		return ((a+2)*x-(a+3))*x*x + 1
	}
	return ((a*x-5*a)*x+8*a)*x - 4*a
}
