/** The least that a program can do. */
console.log("0.1.0");
