"""What all benchmarks share: reports, and processes whose time and memory are measured."""
