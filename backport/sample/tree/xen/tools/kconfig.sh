#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# kconfig.sh KCONFIG [CONFIG] HEADER MAKEFILE: decide every option, write both.
set -e

kconfig=$1
config=/dev/null
if [ $# -eq 4 ]; then
    config=$2
    shift
fi

mkdir -p "$(dirname "$2")"
awk -v header="$2" -v makefile="$3" '
    FILENAME != ARGV[1] && /^CONFIG_[A-Z0-9_]+=/ {
        split(substr($0, 8), kv, "="); chosen[kv[1]] = kv[2]; next }
    FILENAME != ARGV[1] && /^# CONFIG_[A-Z0-9_]+ is not set/ {
        chosen[substr($2, 8)] = "n"; next }
    FILENAME != ARGV[1] { next }
    $1 == "config" { name = $2; order[++n] = name }
    $1 == "default" { value[name] = $2 }
    $1 == "depends" { needs[name] = $3 }
    END {
        print "/* Made by kconfig.sh. */" > header
        print "# Made by kconfig.sh." > makefile
        for (i = 1; i <= n; i++) {
            o = order[i]
            v = (o in chosen) ? chosen[o] : value[o]
            # An option stands behind the one that it depends on.
            if ((o in needs) && final[needs[o]] != "y")
                v = "n"
            final[o] = v
            if (v == "y") {
                print "#define CONFIG_" o " 1" > header
                print "CONFIG_" o " := y" > makefile
            }
        }
    }' "$kconfig" "$config"
