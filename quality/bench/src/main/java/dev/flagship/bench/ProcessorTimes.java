package dev.flagship.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * Where the processors' time went, in ticks since the machine started (proc(5)).
 *
 * @param total of all processors
 * @param busy at work for a process, an interrupt or the kernel
 * @param stolen by other guests of the same host
 * @param own of the processes given, and of their ended children
 */
record ProcessorTimes(long total, long busy, long stolen, long own) {

    /** user, nice, system, idle, iowait, irq, softirq, steal; guests are within user. */
    private static final int COLUMNS = 8;

    /** Now; empty where the system does not tell. */
    static Optional<ProcessorTimes> now(List<ProcessHandle> processes) {
        Path proc = Path.of("/proc");
        try {
            String first = Files.readAllLines(proc.resolve("stat")).getFirst();
            long own = 0;
            for (ProcessHandle process : processes) {
                own += ticks(proc.resolve(process.pid() + "/stat")).orElse(0);
            }
            return parse(first, own);
        } catch (IOException e) {
            return Optional.empty(); // no Linux
        }
    }

    private static OptionalLong ticks(Path file) {
        try {
            return ownTicks(Files.readString(file));
        } catch (IOException e) {
            return OptionalLong.empty(); // the process has ended
        }
    }

    static Optional<ProcessorTimes> parse(String line, long own) {
        String[] fields = line.strip().split("\\s+", -1);
        if (!fields[0].equals("cpu") || fields.length <= COLUMNS) {
            return Optional.empty();
        }
        long total = 0;
        for (int i = 1; i <= COLUMNS; i++) {
            total += Long.parseLong(fields[i]);
        }
        long idle = Long.parseLong(fields[4]) + Long.parseLong(fields[5]);
        long stolen = Long.parseLong(fields[8]);
        return Optional.of(new ProcessorTimes(total, total - idle - stolen, stolen, own));
    }

    /** utime + stime + cutime + cstime. The process's name may hold blanks and brackets. */
    static OptionalLong ownTicks(String stat) {
        String[] fields = stat.substring(stat.lastIndexOf(')') + 1).strip().split("\\s+", -1);
        if (fields.length < 15) {
            return OptionalLong.empty();
        }
        long ticks = 0;
        for (int i = 11; i < 15; i++) {
            ticks += Long.parseLong(fields[i]);
        }
        return OptionalLong.of(ticks);
    }

    /** Share of the machine, 0 to 1, that other processes took since {@code before}. */
    double othersSince(ProcessorTimes before) {
        long others = (busy - before.busy) - (own - before.own);
        return share(Math.max(0, others), before);
    }

    /** Share of the machine that was stolen since {@code before}. */
    double stolenSince(ProcessorTimes before) {
        return share(stolen - before.stolen, before);
    }

    private double share(long ticks, ProcessorTimes before) {
        return total == before.total ? 0 : (double) ticks / (total - before.total);
    }
}
