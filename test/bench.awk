# Makes a table of the output of go test -bench: bench.awk FILE. A benchmark's
# line is its name, a count, and pairs of a value and its unit.

/^pkg:/ { pkg = $2; sub(/.*\/dayfly\//, "", pkg) }
/^Benchmark/ {
	name = $1; sub(/^Benchmark/, "", name); sub(/-[0-9]+$/, "", name)
	for (i = 3; i < NF; i += 2)
		if ($(i+1) ~ /\/s$|ratio|^p[0-9]|^cpu/ && $(i+1) != "MB/s") {
			key = pkg " | " name " | " $(i+1)
			if (!(key in n)) order[++keys] = key
			v[key, ++n[key]] = $i
		}
}
function show(x) { return x >= 1000 ? sprintf("%.1fk", x / 1000) : sprintf("%.3g", x) }
END {
	print "| package | work | unit | median | lowest–highest |\n|---|---|---|---|---|"
	for (k = 1; k <= keys; k++) {
		key = order[k]; m = n[key]
		for (i = 1; i <= m; i++) for (j = i + 1; j <= m; j++)
			if (v[key, j] + 0 < v[key, i] + 0) { t = v[key, i]; v[key, i] = v[key, j]; v[key, j] = t }
		print "| " key " | " show(v[key, int((m + 1) / 2)]) " | " show(v[key, 1]) "–" show(v[key, m]) " |"
	}
}
