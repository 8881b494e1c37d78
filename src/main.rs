fn main() { println!("lnsp"); }
