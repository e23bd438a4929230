"""Who does it: from messages and listings to jobs, from jobs to matches."""
