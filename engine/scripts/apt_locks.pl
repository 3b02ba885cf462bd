# Runs on the host: who holds a lock of apt's or dpkg's, if anybody: "FILE PROCESS-ID NAME UNIT". In Perl,
# because a bare host has no other language that can ask for a lock of fcntl(2); perl-base is essential.
for my $path (qw(/var/lib/dpkg/lock-frontend /var/lib/dpkg/lock /var/cache/apt/archives/lock /var/lib/apt/lists/lock)) {
    open(my $file, '<', $path) or next;
    # struct flock: F_WRLCK of the whole file; F_GETLK says who stands against it.
    my $lock = pack('s s x4 q q i x4', 1, 0, 0, 0, 0);
    fcntl($file, 5, $lock) or next;
    my ($kind, $pid) = (unpack('s s x4 q q i', $lock))[0, 4];
    next if $kind == 2;
    my ($name, $unit) = ('?', '?');
    if (open(my $comm, '<', "/proc/$pid/comm")) { chomp($name = <$comm>); $name =~ s/ /_/g }
    if (open(my $group, '<', "/proc/$pid/cgroup")) { while (<$group>) { $unit = $1 if m{([^/]+\.service)} } }
    print "$path $pid $name $unit\n";
    last;
}
