# Clears a folder up once the process that holds the other end of the input is gone. $1: the folder.

trap '' HUP INT
while read -r _; do :; done
evict "$1"
