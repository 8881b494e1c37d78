fn main() {
    println!("lnsp");
}
