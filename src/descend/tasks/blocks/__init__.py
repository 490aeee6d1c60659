"""Tables larger than memory: read block by block, by the linear model as by the perceptron."""
