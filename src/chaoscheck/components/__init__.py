"""What is under test: ordinary trio code that does not know it is tested."""
