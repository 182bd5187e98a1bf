/**
 * The command line: what {@code ./flagship} starts. Turns flags into calls of the modules below and
 * their errors into messages; holds no domain logic.
 *
 * <p>Answers go to stdout and everything else to stderr. Exit codes: 0 done, 1 an error that its
 * message explains, 2 wrong usage, 130 ended by Ctrl-C, 141 the reader of stdout went away.
 *
 * <p>Start-up is budgeted: {@code --version} touches no library, {@code run} no class of HTTP.
 */
@NullMarked
package dev.flagship.cli;

import org.jspecify.annotations.NullMarked;
