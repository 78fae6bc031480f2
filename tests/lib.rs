//! What the tests share: finding the binary, the fixtures, and running the whole sensor in process.
