<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="text"/>
<xsl:decimal-format name="eu" decimal-separator="," grouping-separator="." NaN="-"/>
<xsl:template match="/"><xsl:for-each select="//price"><xsl:value-of select="format-number(., '#,##0.00')"/>|<xsl:value-of select="format-number(., '#.##0,0#', 'eu')"/>|<xsl:value-of select="format-number(. div 7, '0.###;(0.###)')"/>|<xsl:value-of select="round(.)"/>|<xsl:value-of select="floor(.)"/>|<xsl:value-of select=". * 1000000"/>|<xsl:value-of select=". div 3"/><xsl:text>&#10;</xsl:text></xsl:for-each><xsl:value-of select="format-number('x', '0', 'eu')"/>|<xsl:value-of select="1 div 0"/>|<xsl:value-of select="number('y')"/></xsl:template>
</xsl:stylesheet>
